"""`python -m orthanc_fast.cli`."""

from orthanc_fast.cli import main

if __name__ == "__main__":
    main(prog_name="orthanc-fast")
