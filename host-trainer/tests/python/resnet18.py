"""Writes a torchvision ResNet-18 with random weights and running statistics, two images and its logits.

python resnet18.py OUTPUT.safetensors
"""

import sys

import torch
import torchvision
from safetensors.torch import save_file

torch.manual_seed(5)
model = torchvision.models.resnet18(weights=None).eval()
with torch.no_grad():
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0.0, 0.2)
    images = torch.randn(2, 3, 224, 224)
    logits = model(images)
tensors = {name: tensor for name, tensor in model.state_dict().items() if not name.endswith("num_batches_tracked")}
tensors.update(images=images, logits=logits)
save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, sys.argv[1])
