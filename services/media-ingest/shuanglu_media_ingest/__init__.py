"""Takes recordings in: the upload door (tus) and the worker that turns files into immutable CMAF segments."""
