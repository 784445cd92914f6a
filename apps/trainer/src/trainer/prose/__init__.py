"""One file per model: what its card says that no program can know. Imported by the pipeline of the same name."""
