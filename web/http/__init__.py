"""What every request and every socket meets first."""
