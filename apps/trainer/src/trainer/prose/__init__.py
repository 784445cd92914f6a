"""One file per model: the parts of its card that no program can know. Imported by the pipeline of the same name."""
