"""The DICOM upper layer and what DIMSE needs of it: bytes on the wire, and what they agree upon.

pdu            the PDUs around an association: A-ASSOCIATE, A-RELEASE, A-ABORT
negotiation    what the two sides agree upon
channel        the bytes of one association: a socket, plain or TLS, with its reader (`_ext.pdata`)
               and what a writer of bulk data (`_ext.pdata_writer`) gives it
failures       how associations and requests of ours fail
association    how an association begins and ends, in both roles
resolving      addresses of host names
requestor      associations that we ask for: connecting, TLS, negotiation
dimse          command fields, and the command sets of bulk data
sending        C-STORE requests of ours
requests       every other request of ours: by pynetdicom
handover       every other command of others: to pynetdicom's service classes
operation_messages    the messages that are not bulk data, read for pynetdicom
pynetdicom_side    pynetdicom's view of an association that we negotiated

Policy (who may associate, what is accepted, where instances go) belongs to those who use it.
"""
