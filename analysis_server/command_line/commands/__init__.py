"""One module a verb: its grammar (`add`), arguments into a request, the result into lines (`run`)."""
