"""Sound as it comes in: files, frames, songs, and blocks of all stems in step."""
