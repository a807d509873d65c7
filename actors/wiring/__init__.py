"""Connects the packages: effects of devices, commits, changes of the lead, the end."""
