"""The DICOM door: listener, associations, C-ECHO and C-STORE on a data path of its own.

worker     one DICOM process: opens the services, then runs a listener
listener   the shared port: waits for peers that speak, one thread per association
association, negotiation, associate    the upper layer (PS3.8): bytes, answer, conversation
store      C-STORE: from fragments to the ingest
handover   every other command: to pynetdicom's handlers
admission, options, syntaxes, sop_classes, tls    what the configuration says
statuses   the one mapping from errors to DIMSE statuses
"""
