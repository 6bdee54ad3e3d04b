"""What `faderwise doctor` looks at, and what it finds: the application, and Faderwise in REAPER."""
