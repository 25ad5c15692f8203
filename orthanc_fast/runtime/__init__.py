"""What the processes of one run of the server tell each other: no disk is waited for, and the next
start forgets it.

contract      what a runtime offers
bell          waking those who wait, in all processes
reserved      room on the disk for what is mapped
lmdb          the runtime that processes share
memory        the same within one process, for tests
conformance   what every runtime has to pass
"""
