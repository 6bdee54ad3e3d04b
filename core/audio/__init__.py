"""Audio files, frames, songs, and blocks of all stems read in lockstep."""
