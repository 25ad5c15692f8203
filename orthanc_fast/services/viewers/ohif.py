"""The OHIF viewer, and what it is told of this server."""

from pathlib import Path
from typing import Final

import msgspec

CONFIGURATION: Final = "app-config.js"


def configuration(theirs: Path | None, base: str, dicom_web: str, wado: str) -> bytes:
    """The script that tells the viewer where it is (`base`) and where DICOMweb and WADO-URI are;
    what the script of the site, `theirs`, says comes first."""
    return _CONFIGURATION.format(
        defaults=msgspec.json.encode(_defaults(base, dicom_web, wado)).decode(),
        user="" if theirs is None else theirs.read_text(),
    ).encode()


_CONFIGURATION: Final = """\
(() => {{
const defaults = {defaults};
window.config = {{...defaults}};
{user}
window.config = {{...defaults, ...window.config}};
}})();
"""


def _defaults(base: str, dicom_web: str, wado: str) -> dict[str, object]:
    """What the viewer has to know of this server, and what its own default configuration says that
    it cannot do without."""
    root = dicom_web.rstrip("/")
    return {
        "routerBasename": base,
        "showStudyList": True,
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "maxNumberOfWebWorkers": 3,
        "showWarningMessageForCrossOrigin": True,
        "showCPUFallbackMessage": True,
        "showLoadingIndicator": True,
        "strictZSpacingForVolumeViewport": True,
        "groupEnabledModesFirst": True,
        "maxNumRequests": {"interaction": 100, "thumbnail": 75, "prefetch": 25},
        "defaultDataSourceName": "orthanc",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "orthanc",
                "configuration": {
                    "friendlyName": "This server",
                    "name": "orthanc",
                    "wadoUriRoot": wado,
                    "qidoRoot": root,
                    "wadoRoot": root,
                    "qidoSupportsIncludeField": True,
                    "imageRendering": "wadors",
                    "thumbnailRendering": "wadors",
                    "enableStudyLazyLoad": True,
                    "supportsFuzzyMatching": True,
                    "supportsWildcard": True,
                    "dicomUploadEnabled": True,
                    "omitQuotationForMultipartRequest": True,
                    "bulkDataURI": {"enabled": True},
                    "singlepart": "pdf,video",
                },
            }
        ],
    }
