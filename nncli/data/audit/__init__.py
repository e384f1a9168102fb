"""What is wrong with a data set, or worth a look."""
