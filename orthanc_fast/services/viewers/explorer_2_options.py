"""What Orthanc Explorer 2 is told by default: its pages read every one of these options. Source:
reference chapter 6, section 1.1; the options are those of its documentation."""

from typing import Any, Final

from orthanc_fast.rights import Right

_STUDY_LIST: Final[dict[str, Any]] = {
    "EnableStudyList": True,
    "MaxStudiesDisplayed": 100,
    "PageLoadSize": 50,
    "StudyListSearchMode": "search-as-you-type",
    "StudyListSearchAsYouTypeMinChars": 3,
    "StudyListSearchAsYouTypeDelay": 400,
    "StudyListContentIfNoSearch": "default-ordering",
    "DefaultOrdering": "Metadata,LastUpdate,DESC",
    "AutoAddWildcardsToSearchFields": True,
    "StudyListColumns": [
        "PatientBirthDate",
        "PatientName",
        "PatientID",
        "StudyDescription",
        "StudyDate",
        "modalities",
        "AccessionNumber",
        "seriesAndInstancesCount",
    ],
    "ModalitiesFilter": [
        *("CR", "CT", "DOC", "DR", "DX", "KO", "MG", "MR", "NM", "OT", "PR", "PT", "PX"),
        *("RTDOSE", "RTSTRUCT", "RTPLAN", "SEG", "SR", "US", "XA", "XC"),
    ],
    "ShowSamePatientStudiesFilter": ["PatientID"],
}

_SHOWN: Final[dict[str, Any]] = {
    "ShowOrthancName": True,
    "MaxMyJobsHistorySize": 5,
    "UploadReportTags": [
        *("PatientName", "StudyDescription", "PatientID", "AccessionNumber", "StudyDate")
    ],
    "UploadReportMaxTags": 2,
    "PatientMainTags": [
        *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "OtherPatientIDs")
    ],
    "StudyMainTags": [
        *("StudyDate", "StudyTime", "StudyDescription", "AccessionNumber", "StudyID"),
        *("StudyInstanceUID", "RequestingPhysician", "ReferringPhysicianName", "InstitutionName"),
    ],
    "SeriesMainTags": [
        *("SeriesDate", "SeriesTime", "SeriesDescription", "SeriesNumber", "BodyPartExamined"),
        *("ProtocolName", "SeriesInstanceUID"),
    ],
    "AvailableLanguages": [
        *("en", "ar", "de", "es", "fr", "it", "ja", "ka", "pt", "ro", "ru", "si", "uk", "vi", "zh")
    ],
    "DefaultLanguage": None,
    "TranslateDicomTags": True,
    "DateFormat": "yyyyMMdd",
    "PatientNameCapture": r"([^\^]+)" + r"\^?([^\^]+)?" * 4,
}

_ACTIONS: Final[dict[str, Any]] = {
    "EnableUpload": True,
    "EnableDicomModalities": True,
    "EnableDeleteResources": True,
    "EnableDownloadZip": True,
    "EnableDownloadDicomDir": False,
    "EnableDownloadDicomFile": True,
    "EnableAnonymization": True,
    "EnableModification": True,
    "EnableSendTo": True,
    "EnableApiViewMenu": False,
    "EnableSettings": True,
    "EnablePermissionsEdition": False,
    "EnableAuditLogs": False,
    "EnableLinkToLegacyUi": True,
    "EnableChangePassword": True,
    "EnableViewerQuickButton": True,
    "EnableReportQuickButton": False,
    "EnableEditLabels": True,
    "AvailableLabels": [],
    "EnableLabelsCount": True,
    "EnableMultiLabelsSearch": False,
    "EnableShares": False,
    "DefaultShareDuration": 0,
    "ShareDurations": [0, 7, 15, 30, 90, 365],
    "EnableAddSeries": True,
    "AddSeriesDefaultTags": {
        name: {"SeriesDescription": description, "Modality": modality, "SeriesDate": "$TODAY$"}
        for name, description, modality in (
            ("pdf", "Report", "DOC"),
            ("image", "Picture", "XC"),
            ("stl", "Model", "M3D"),
        )
    },
    "Modifications": {
        f"{level}{option}": value
        for level in ("", "Series")
        for option, value in (
            ("AllowedModes", ["modify-new-uids", "modify-keep-uids", "duplicate"]),
            ("DefaultMode", "modify-new-uids"),
        )
    },
    "EnableWorklists": True,
    "NewWorklistDefaultTags": {
        **dict.fromkeys(
            (
                *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
                *("AccessionNumber", "RequestedProcedureDescription"),
            ),
            "",
        ),
        "ScheduledProcedureStepSequence": [
            {
                "Modality": "",
                "ScheduledStationAETitle": "",
                "ScheduledProcedureStepStartDate": "$TODAY$",
                "ScheduledProcedureStepDescription": "",
            }
        ],
    },
    "DownloadStudyFileNameTemplate": "{PatientID}-{PatientName}-{StudyDate}-{StudyDescription}.zip",
    "DownloadSeriesFileNameTemplate": (
        "{PatientID}-{PatientName}-{SeriesDate}-{SeriesDescription}.zip"
    ),
    "DownloadInstanceFileNameTemplate": (
        "{PatientID}-{PatientName}-{StudyDate}-{SeriesDescription}-{InstanceNumber}.dcm"
    ),
    "CustomButtons": {"study": [], "series": [], "instance": [], "bulk-studies": []},
}

_VIEWERS: Final[dict[str, Any]] = {
    "EnableOpenInOhifViewer": False,
    "OhifViewerPublicRoot": "",
    "EnableOpenInOhifViewer3": False,
    "OhifViewer3PublicRoot": "/ohif/",
    "EnableOpenInMedDreamViewer": False,
    "MedDreamViewerPublicRoot": "",
    "EnableOpenInWeasisViewer": False,
    "ViewersIcons": {
        "osimis-web-viewer": "bi bi-eye",
        "stone-webviewer": "bi bi-eye-fill",
        "ohif": "bi bi-grid",
        "ohif-vr": "bi bi-grid-1x2",
        "ohif-tmtv": "bi bi-grid-3x3-gap",
        "ohif-seg": "fa-solid fa-shapes fa-button",
        "ohif-micro": "fa-solid fa-microscope fa-button",
        "meddream": "bi bi-columns-gap",
        "volview": "bi bi-box",
        "weasis": "bi bi-window",
        "wsi": "fa-solid fa-microscope fa-button",
    },
    "ViewersOrdering": [
        *("stone-webviewer", "ohif", "ohif-vr", "ohif-tmtv", "ohif-seg", "meddream", "volview"),
        *("weasis", "wsi"),
    ],
}

UI_OPTIONS: Final[dict[str, Any]] = {**_STUDY_LIST, **_SHOWN, **_ACTIONS, **_VIEWERS}
TOKENS: Final[dict[str, Any]] = {
    "InstantLinksValidity": 200,
    "ShareType": "stone-viewer-publication",
    "RequiredForLinks": False,
}
ADVANCED: Final[dict[str, Any]] = {
    "DownloadInstantLinksUseRestApiWithAuthHeaders": False,
    "AdaptUiOnReadOnlySystems": True,
}
# What there is no use for where nothing may be changed.
OF_WRITERS: Final = (
    "EnableUpload",
    "EnableAddSeries",
    "EnableDeleteResources",
    "EnableModification",
    "EnableAnonymization",
    "EnableEditLabels",
    "EnablePermissionsEdition",
)
# What there is no use for without a right.
OF_RIGHTS: Final[dict[Right, tuple[str, ...]]] = {
    Right.UPLOAD: ("EnableUpload", "EnableAddSeries", "EnableDicomModalities"),
    Right.MODIFY: ("EnableModification", "EnableAnonymization", "EnableEditLabels", "EnableSendTo"),
    Right.DELETE: ("EnableDeleteResources",),
    Right.ADMINISTRATE: ("EnableSettings",),
}
