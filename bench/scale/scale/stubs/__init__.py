"""What stands around a controller in a real cluster and is made up here. Runs in a process of its own, so that its time
is not the controller's: `python -m scale.stubs`."""
