"""Controllers at scale: a bare control plane with fake nodes, one controller as a process, N objects, and a count of
what the controller costs. See README.md beside; `run` is the command."""
