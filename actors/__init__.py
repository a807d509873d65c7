"""Who acts: mailboxes, supervision, and the device, user, writer and gateway actors."""
