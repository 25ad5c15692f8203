"""A PyTorch Dataset whose samples are the volumes of a server.

    python torch_dataset.py http://localhost:8042

PyTorch is no dependency of orthanc_fast: install it for this example.
"""

import sys

import torch
from torch.utils.data import DataLoader, Dataset

from orthanc_fast.client import Server


class VolumeDataset(Dataset):
    """(volume, identifier) of every CT series; float16 halves what goes over the wire."""

    def __init__(self, url: str, modality: str = "CT", dtype: str = "float16") -> None:
        self.url = url
        self.dtype = dtype
        with Server(url) as server:
            self.series = [found.id for found in server.find("Series", {"Modality": modality})]
        self._server: Server | None = None

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, index: int):
        if self._server is None:  # one for each process of the DataLoader
            self._server = Server(self.url)
        name = self.series[index]
        volume = self._server.volume(name, dtype=self.dtype)
        return torch.from_numpy(volume), name


def main(url: str) -> None:
    loader = DataLoader(VolumeDataset(url), batch_size=None, num_workers=2, prefetch_factor=2)
    for volume, name in loader:
        print(name, tuple(volume.shape), volume.dtype)


if __name__ == "__main__":
    main(*sys.argv[1:])
