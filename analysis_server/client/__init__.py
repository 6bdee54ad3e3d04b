"""The way to the server: a client, its socket, and a server started where none answers."""
