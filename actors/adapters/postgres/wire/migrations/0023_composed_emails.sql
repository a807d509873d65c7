-- Email addresses are compared in composed form (NFC); of two that become the same, both stay.
DO $$
BEGIN
    IF getdatabaseencoding() = 'UTF8' THEN
        UPDATE users u SET email = normalize(u.email, NFC)
        WHERE u.email IS NOT NFC NORMALIZED
            AND NOT EXISTS (SELECT FROM users o WHERE o.id <> u.id
                AND lower(normalize(o.email, NFC)) = lower(normalize(u.email, NFC)));
    END IF;
END
$$;
