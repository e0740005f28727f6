"""Images a second that torchvision decodes, augments as He et al. 2016 did and normalises.

python torchvision_loader.py FOLDER SIZE LOW HIGH BATCH EPOCHS WORKERS
"""

import random
import sys
import time

import torch
from torchvision import datasets, transforms
from torchvision.transforms import functional

folder, size, low, high, batch, epochs, workers = sys.argv[1], *map(int, sys.argv[2:])


class Scale:
    """The shorter side gets a random number of pixels."""

    def __call__(self, image):
        return functional.resize(image, random.randint(low, high))


class ColourJitter:
    """One colour an image along the principal axes of ImageNet's colours (Krizhevsky et al. 2012)."""

    values = torch.tensor([0.2175, 0.0188, 0.0045])
    axes = torch.tensor([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])

    def __call__(self, image):
        shift = self.axes @ (torch.randn(3) * 0.1 * self.values)
        return image + shift[:, None, None]


steps = transforms.Compose(
    [
        Scale(),
        transforms.RandomCrop(size),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        ColourJitter(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)
images = datasets.ImageFolder(folder, steps)
loader = torch.utils.data.DataLoader(
    images, batch_size=batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0, drop_last=True
)
next(iter(loader))  # starts the workers
count, total, started = 0, 0.0, time.perf_counter()
for _ in range(epochs):
    for pixels, _ in loader:
        total += float(pixels[0, 0, 0, 0])
        count += len(pixels)
print(f"{count / (time.perf_counter() - started):.2f}")
print(f"checksum {total}", file=sys.stderr)
