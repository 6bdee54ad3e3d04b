"""From a session in REAPER to what is heard: the bridge, the application, the server, a simulated REAPER."""
