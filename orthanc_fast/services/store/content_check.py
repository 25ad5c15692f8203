"""Whether the content of an attachment is what was stored: by our own checksum, else, where another
server has stored it, by its MD5. Where it has kept none there is nothing to compare with."""

from hashlib import md5

import xxhash

from orthanc_fast.errors import CorruptedFile
from orthanc_fast.model import Attachment
from orthanc_fast.storage.contract import Content


class ContentCheck:
    """For a content that comes in parts."""

    def __init__(self, attachment: Attachment) -> None:
        self._attachment = attachment
        has_digest = bool(attachment.digest)
        self._expected = attachment.digest.hex() if has_digest else attachment.md5
        self._hash = xxhash.xxh3_128() if has_digest else md5(usedforsecurity=False)

    def update(self, part: Content) -> None:
        """The next part of the content."""
        if self._expected is not None:
            self._hash.update(part)

    def holds(self) -> bool:
        """Whether all that came is what was stored."""
        return self._expected is None or self._hash.hexdigest() == self._expected

    def finish(self) -> None:
        """Raises CorruptedFile for a content that is another one."""
        if not self.holds():
            raise CorruptedFile(f"the file {self._attachment.uuid} does not hold what was stored")


def check_content(attachment: Attachment, content: Content) -> None:
    """Raises CorruptedFile for a content that is not what was stored."""
    check = ContentCheck(attachment)
    check.update(content)
    check.finish()
