"""Other Orthanc servers, reached by HTTP."""
