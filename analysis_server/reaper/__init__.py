"""The application's side of REAPER's actions."""
