"""Protocol servers of the simulator, with codecs of their own."""
