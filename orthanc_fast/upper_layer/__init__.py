"""The DICOM upper layer and what DIMSE needs of it: bytes on the wire, and what they agree upon.

pdu            the PDUs around an association: A-ASSOCIATE, A-RELEASE, A-ABORT
negotiation    what the two sides agree upon
channel        the bytes of one association: a socket, plain or TLS, with its reader (`_ext.pdata`)
association    how an association begins and ends
dimse          command fields, and the responses of the path of bulk data
handover       every other command: to pynetdicom's service classes
pynetdicom_side    pynetdicom's view of an association that we negotiated

Policy (who may associate, what is accepted, where instances go) belongs to those who use it.
"""
