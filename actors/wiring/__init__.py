"""What passes between the rooms: effects of devices, commits, changes of the lead, the end."""
