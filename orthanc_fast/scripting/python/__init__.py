"""Python scripts: the module `orthanc` and its process."""
