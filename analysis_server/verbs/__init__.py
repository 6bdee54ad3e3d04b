"""What Faderwise does: for each verb a request, a result, and a function from one to the other.

A request and a result are msgspec structs, so the command line, the server and a test say the same thing. The
function takes the request and a `ProgressCallback`.
"""
