"""The enumerations of the module `orthanc`: plain classes whose members are ints. Source: reference
chapter 7, section 4."""

from typing import Final

MEMBERS: Final[dict[str, dict[str, int]]] = {
    "ChangeType": {
        "COMPLETED_SERIES": 0,
        "DELETED": 1,
        "NEW_CHILD_INSTANCE": 2,
        "NEW_INSTANCE": 3,
        "NEW_PATIENT": 4,
        "NEW_SERIES": 5,
        "NEW_STUDY": 6,
        "STABLE_PATIENT": 7,
        "STABLE_SERIES": 8,
        "STABLE_STUDY": 9,
        "ORTHANC_STARTED": 10,
        "ORTHANC_STOPPED": 11,
        "UPDATED_ATTACHMENT": 12,
        "UPDATED_METADATA": 13,
        "UPDATED_PEERS": 14,
        "UPDATED_MODALITIES": 15,
        "JOB_SUBMITTED": 16,
        "JOB_SUCCESS": 17,
        "JOB_FAILURE": 18,
    },
    "CompressionType": {
        "ZLIB": 0,
        "ZLIB_WITH_SIZE": 1,
        "GZIP": 2,
        "GZIP_WITH_SIZE": 3,
        "NONE": 4,
    },
    "ConstraintType": {
        "EQUAL": 1,
        "SMALLER_OR_EQUAL": 2,
        "GREATER_OR_EQUAL": 3,
        "WILDCARD": 4,
        "LIST": 5,
    },
    "ContentType": {
        "UNKNOWN": 0,
        "DICOM": 1,
        "DICOM_AS_JSON": 2,
        "DICOM_UNTIL_PIXEL_DATA": 3,
    },
    "CreateDicomFlags": {
        "NONE": 0,
        "DECODE_DATA_URI_SCHEME": 1,
        "GENERATE_IDENTIFIERS": 2,
    },
    "DicomToJsonFlags": {
        "NONE": 0,
        "INCLUDE_BINARY": 1,
        "INCLUDE_PRIVATE_TAGS": 2,
        "INCLUDE_UNKNOWN_TAGS": 4,
        "INCLUDE_PIXEL_DATA": 8,
        "CONVERT_BINARY_TO_ASCII": 16,
        "CONVERT_BINARY_TO_NULL": 32,
        "STOP_AFTER_PIXEL_DATA": 64,
        "SKIP_GROUP_LENGTHS": 128,
    },
    "DicomToJsonFormat": {
        "FULL": 1,
        "SHORT": 2,
        "HUMAN": 3,
    },
    "DicomWebBinaryMode": {
        "IGNORE": 0,
        "INLINE_BINARY": 1,
        "BULK_DATA_URI": 2,
    },
    "HttpAuthenticationStatus": {
        "GRANTED": 0,
        "UNAUTHORIZED": 1,
        "FORBIDDEN": 2,
        "REDIRECT": 3,
    },
    "HttpMethod": {
        "GET": 1,
        "POST": 2,
        "PUT": 3,
        "DELETE": 4,
    },
    "IdentifierConstraint": {
        "EQUAL": 1,
        "SMALLER_OR_EQUAL": 2,
        "GREATER_OR_EQUAL": 3,
        "WILDCARD": 4,
    },
    "ImageFormat": {
        "PNG": 0,
        "JPEG": 1,
        "DICOM": 2,
    },
    "InstanceOrigin": {
        "UNKNOWN": 1,
        "DICOM_PROTOCOL": 2,
        "REST_API": 3,
        "PLUGIN": 4,
        "LUA": 5,
        "WEB_DAV": 6,
    },
    "JobStepStatus": {
        "SUCCESS": 1,
        "FAILURE": 2,
        "CONTINUE": 3,
    },
    "JobStopReason": {
        "SUCCESS": 1,
        "PAUSED": 2,
        "FAILURE": 3,
        "CANCELED": 4,
    },
    "LoadDicomInstanceMode": {
        "WHOLE_DICOM": 1,
        "UNTIL_PIXEL_DATA": 2,
        "EMPTY_PIXEL_DATA": 3,
    },
    "LogCategory": {
        "GENERIC": 1,
        "PLUGINS": 2,
        "HTTP": 4,
        "SQLITE": 8,
        "DICOM": 16,
        "JOBS": 32,
        "LUA": 64,
    },
    "LogLevel": {
        "ERROR": 0,
        "WARNING": 1,
        "INFO": 2,
        "TRACE": 3,
    },
    "MetricsType": {
        "DEFAULT": 0,
        "TIMER": 1,
    },
    "PixelFormat": {
        "GRAYSCALE8": 1,
        "GRAYSCALE16": 2,
        "SIGNED_GRAYSCALE16": 3,
        "RGB24": 4,
        "RGBA32": 5,
        "UNKNOWN": 6,
        "RGB48": 7,
        "GRAYSCALE32": 8,
        "FLOAT32": 9,
        "BGRA32": 10,
        "GRAYSCALE64": 11,
    },
    "QueueOrigin": {
        "FRONT": 0,
        "BACK": 1,
    },
    "ReceivedInstanceAction": {
        "KEEP_AS_IS": 1,
        "MODIFY": 2,
        "DISCARD": 3,
    },
    "ResourceType": {
        "PATIENT": 0,
        "STUDY": 1,
        "SERIES": 2,
        "INSTANCE": 3,
        "NONE": 4,
    },
    "StableStatus": {
        "STABLE": 0,
        "UNSTABLE": 1,
    },
    "StorageCommitmentFailureReason": {
        "SUCCESS": 0,
        "PROCESSING_FAILURE": 1,
        "NO_SUCH_OBJECT_INSTANCE": 2,
        "RESOURCE_LIMITATION": 3,
        "REFERENCED_SOPCLASS_NOT_SUPPORTED": 4,
        "CLASS_INSTANCE_CONFLICT": 5,
        "DUPLICATE_TRANSACTION_UID": 6,
    },
    "StoreStatus": {
        "SUCCESS": 0,
        "ALREADY_STORED": 1,
        "FAILURE": 2,
        "FILTERED_OUT": 3,
        "STORAGE_FULL": 4,
    },
    "ValueRepresentation": {
        "AE": 1,
        "AS": 2,
        "AT": 3,
        "CS": 4,
        "DA": 5,
        "DS": 6,
        "DT": 7,
        "FD": 8,
        "FL": 9,
        "IS": 10,
        "LO": 11,
        "LT": 12,
        "OB": 13,
        "OF": 14,
        "OW": 15,
        "PN": 16,
        "SH": 17,
        "SL": 18,
        "SQ": 19,
        "SS": 20,
        "ST": 21,
        "TM": 22,
        "UI": 23,
        "UL": 24,
        "UN": 25,
        "US": 26,
        "UT": 27,
    },
}

_FROM_0: Final = (
    "SUCCESS PLUGIN NOT_IMPLEMENTED PARAMETER_OUT_OF_RANGE NOT_ENOUGH_MEMORY "
    "BAD_PARAMETER_TYPE BAD_SEQUENCE_OF_CALLS INEXISTENT_ITEM BAD_REQUEST NETWORK_PROTOCOL "
    "SYSTEM_COMMAND DATABASE URI_SYNTAX INEXISTENT_FILE CANNOT_WRITE_FILE BAD_FILE_FORMAT "
    "TIMEOUT UNKNOWN_RESOURCE INCOMPATIBLE_DATABASE_VERSION FULL_STORAGE CORRUPTED_FILE "
    "INEXISTENT_TAG READ_ONLY INCOMPATIBLE_IMAGE_FORMAT INCOMPATIBLE_IMAGE_SIZE "
    "SHARED_LIBRARY UNKNOWN_PLUGIN_SERVICE UNKNOWN_DICOM_TAG BAD_JSON UNAUTHORIZED BAD_FONT "
    "DATABASE_PLUGIN STORAGE_AREA_PLUGIN EMPTY_REQUEST NOT_ACCEPTABLE NULL_POINTER "
    "DATABASE_UNAVAILABLE CANCELED_JOB BAD_GEOMETRY SSL_INITIALIZATION DISCONTINUED_ABI "
    "BAD_RANGE DATABASE_CANNOT_SERIALIZE REVISION MAIN_DICOM_TAGS_MULTIPLY_DEFINED "
    "FORBIDDEN_ACCESS DUPLICATE_RESOURCE INCOMPATIBLE_CONFIGURATIONS "
)
_FROM_1000: Final = (
    "SQLITE_NOT_OPENED SQLITE_ALREADY_OPENED SQLITE_CANNOT_OPEN "
    "SQLITE_STATEMENT_ALREADY_USED SQLITE_EXECUTE SQLITE_ROLLBACK_WITHOUT_TRANSACTION "
    "SQLITE_COMMIT_WITHOUT_TRANSACTION SQLITE_REGISTER_FUNCTION SQLITE_FLUSH "
    "SQLITE_CANNOT_RUN SQLITE_CANNOT_STEP SQLITE_BIND_OUT_OF_RANGE "
    "SQLITE_PREPARE_STATEMENT SQLITE_TRANSACTION_ALREADY_STARTED SQLITE_TRANSACTION_COMMIT "
    "SQLITE_TRANSACTION_BEGIN "
)
_FROM_2000: Final = (
    "DIRECTORY_OVER_FILE FILE_STORAGE_CANNOT_WRITE DIRECTORY_EXPECTED HTTP_PORT_IN_USE "
    "DICOM_PORT_IN_USE BAD_HTTP_STATUS_IN_REST REGULAR_FILE_EXPECTED PATH_TO_EXECUTABLE "
    "MAKE_DIRECTORY BAD_APPLICATION_ENTITY_TITLE NO_CFIND_HANDLER NO_CMOVE_HANDLER "
    "NO_CSTORE_HANDLER NO_APPLICATION_ENTITY_FILTER NO_SOP_CLASS_OR_INSTANCE "
    "NO_PRESENTATION_CONTEXT DICOM_FIND_UNAVAILABLE DICOM_MOVE_UNAVAILABLE "
    "CANNOT_STORE_INSTANCE CREATE_DICOM_NOT_STRING CREATE_DICOM_OVERRIDE_TAG "
    "CREATE_DICOM_USE_CONTENT CREATE_DICOM_NO_PAYLOAD CREATE_DICOM_USE_DATA_URI_SCHEME "
    "CREATE_DICOM_BAD_PARENT CREATE_DICOM_PARENT_IS_INSTANCE CREATE_DICOM_PARENT_ENCODING "
    "UNKNOWN_MODALITY BAD_JOB_ORDERING JSON_TO_LUA_TABLE CANNOT_CREATE_LUA CANNOT_EXECUTE_LUA "
    "LUA_ALREADY_EXECUTED LUA_BAD_OUTPUT NOT_LUA_PREDICATE LUA_RETURNS_NO_STRING "
    "STORAGE_AREA_ALREADY_REGISTERED DATABASE_BACKEND_ALREADY_REGISTERED "
    "DATABASE_NOT_INITIALIZED SSL_DISABLED CANNOT_ORDER_SLICES NO_WORKLIST_HANDLER "
    "ALREADY_EXISTING_TAG NO_STORAGE_COMMITMENT_HANDLER NO_CGET_HANDLER DICOM_GET_UNAVAILABLE "
)
MEMBERS["ErrorCode"] = {
    "INTERNAL_ERROR": -1,
    **{
        name: first + number
        for first, names in ((0, _FROM_0), (1000, _FROM_1000), (2000, _FROM_2000))
        for number, name in enumerate(names.split())
    },
    "UNSUPPORTED_MEDIA_TYPE": 3000,
}


def enumerations() -> dict[str, type]:
    """The classes by name."""
    return {
        name: type(name, (), {"__module__": "orthanc", **members})
        for name, members in MEMBERS.items()
    }
