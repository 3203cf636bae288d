"""What the tests on the cluster share."""
