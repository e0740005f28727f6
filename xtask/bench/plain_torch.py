"""Trains an architecture file in PyTorch, unrolled in the plain way: every layer at every step for the whole batch, the
loss at the last step. Prints images a second.

python plain_torch.py ARCHITECTURE.toml BATCH BATCHES [--compile] [--device cuda] [--check FILE]

Reads the part of the format that the benchmarked files use: one convolution a layer, ELU, max-pooling, average, vanilla
and reciprocal gated cells in the paper's form, feedback by concatenation. With --check it writes images, weights and the
last logits as safetensors instead, for comparison.
"""

import argparse
import time
import tomllib

import torch
from torch import nn
from torch.nn import functional


class Layer(nn.Module):
    def __init__(self, table, inputs):
        super().__init__()
        convolution = table["convolution"]
        self.channels = convolution["channels"]
        kernel = convolution["kernel"]
        padding = 0 if convolution.get("padding") == "valid" else kernel // 2
        self.conv = nn.Conv2d(inputs, self.channels, kernel, convolution.get("stride", 1), padding)
        nn.init.kaiming_normal_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)
        self.kind = table.get("cell", {}).get("kind")
        names = {"reciprocal-gated": ["ch", "hh", "hc", "cc"], "vanilla": ["hh"], None: []}[self.kind]
        kernel = table.get("cell", {}).get("kernel", 3)
        gate = lambda: nn.Conv2d(self.channels, self.channels, kernel, padding=kernel // 2, bias=False)
        self.gates = nn.ModuleDict({name: gate() for name in names})
        self.activation = table.get("activation", "elu")
        self.pool = table.get("pool", {}).get("kernel")
        self.average = table.get("average")

    def forward(self, inputs, state):
        if self.average == "before":
            inputs = inputs.mean((2, 3), keepdim=True)
        x = self.conv(inputs)
        if self.kind == "reciprocal-gated":
            h, c = state if state is not None else (torch.zeros_like(x), torch.zeros_like(x))
            gate = lambda name, read: 1 - torch.sigmoid(self.gates[name](read))
            next_h = functional.elu(gate("ch", c) * x + gate("hh", h) * h)
            next_c = functional.elu(gate("hc", h) * x + gate("cc", c) * c)
            x, state = next_h, (next_h, next_c)
        elif self.kind == "vanilla":
            h = state if state is not None else torch.zeros_like(x)
            x = functional.elu(x + self.gates["hh"](h))
            state = x
        if self.activation == "elu":
            x = functional.elu(x)
        if self.pool:
            x = functional.max_pool2d(x, self.pool, ceil_mode=True)
        if self.average == "after":
            x = x.mean((2, 3), keepdim=True)
        return x, state


class Net(nn.Module):
    def __init__(self, file):
        super().__init__()
        shape, tables = file["input"], file["layer"]
        self.steps, self.image_steps = file["presentation"]["steps"], file["presentation"]["image_steps"]
        channels = [shape["channels"]] + [table["convolution"]["channels"] for table in tables]
        # By layer: where its feedback comes from, as indices of layers.
        self.feedback = [[] for _ in tables]
        for edge in sorted(file.get("feedback", []), key=lambda edge: edge["from"]):
            self.feedback[edge["to"] - 1].append(edge["from"] - 1)
        self.layers = nn.ModuleList(
            Layer(table, channels[index] + sum(channels[source + 1] for source in self.feedback[index]))
            for index, table in enumerate(tables)
        )
        with torch.no_grad():
            blank = torch.zeros(1, shape["channels"], shape["height"], shape["width"])
            self.shapes = []
            for index, layer in enumerate(self.layers):
                extra = sum(channels[source + 1] for source in self.feedback[index])
                fed = torch.zeros(1, extra, *blank.shape[2:])
                blank, _ = layer(torch.cat([blank, fed], 1), None)
                self.shapes.append(tuple(blank.shape[1:]))

    def forward(self, images):
        blank = torch.zeros_like(images)
        outputs = [images.new_zeros(images.shape[0], *shape) for shape in self.shapes]
        states = [None] * len(self.layers)
        for step in range(1, self.steps + 1):
            frame = images if step <= self.image_steps else blank
            now = []
            for index, layer in enumerate(self.layers):
                below = frame if index == 0 else outputs[index - 1]
                sources = [self.resized(outputs[source], below.shape[2:]) for source in self.feedback[index]]
                output, states[index] = layer(torch.cat([below, *sources], 1) if sources else below, states[index])
                now.append(output)
            outputs = now
        return outputs[-1].flatten(1)

    @staticmethod
    def resized(source, size):
        if source.shape[2:] == size:
            return source
        return functional.interpolate(source, size=size, mode="bilinear", align_corners=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("architecture")
    parser.add_argument("batch", type=int)
    parser.add_argument("batches", type=int)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--check")
    options = parser.parse_args()
    torch.manual_seed(1)
    with open(options.architecture, "rb") as file:
        architecture = tomllib.load(file)
    net = Net(architecture).to(options.device)
    shape = architecture["input"]
    images = torch.randn(options.batch, shape["channels"], shape["height"], shape["width"], device=options.device)
    if options.check:
        from safetensors.torch import save_file

        tensors = {}
        for index, layer in enumerate(net.layers, 1):
            tensors[f"layer{index}.conv.weight"] = layer.conv.weight
            tensors[f"layer{index}.conv.bias"] = layer.conv.bias
            for name, gate in layer.gates.items():
                tensors[f"layer{index}.cell.w_{name}.weight"] = gate.weight
        with torch.no_grad():
            tensors |= {"images": images, "logits": net(images)}
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, options.check)
        return
    labels = torch.randint(net.shapes[-1][0], (options.batch,), device=options.device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
    forward = torch.compile(net) if options.compile else net

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(forward(images), labels)
        loss.backward()
        nn.utils.clip_grad_value_(net.parameters(), 0.7)
        optimizer.step()
        return float(loss)

    for _ in range(3 if options.compile else 1):
        step()
    started = time.perf_counter()
    for _ in range(options.batches):
        step()
    print(f"{options.batch * options.batches / (time.perf_counter() - started):.2f}")


main()
