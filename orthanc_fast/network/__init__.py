"""The DICOM door: listener, associations, C-ECHO and C-STORE on a data path of its own.

worker     one DICOM process: opens the services, then runs a listener
listener   the shared port: waits for peers that speak, one thread per association
acceptor   one association: its requests, each answered or refused by what the door holds
negotiation, admission, options, places, tls    what the configuration says

What a C-STORE brings goes to the ingest by `services/ingest/store_requests.py`. The upper layer
itself is a room of its own: `upper_layer`.
"""
