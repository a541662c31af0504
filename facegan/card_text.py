"""The sentences of the model card; `card` fills them in."""

from __future__ import annotations

FRONT_MATTER = """
---
# Yours to choose: look at "Licences of the training images" below before you do.
license: unknown
library_name: facegan
pipeline_tag: unconditional-image-generation
tags:
- gan
- dcgan
- faces
- unconditional-image-generation
---
"""

SAMPLE_USE = """
```sh
facegan sample generator.safetensors --count 64 --seed 0
```
"""

ONNX_USE = """
Without PyTorch, in any batch size; the images of `generator.onnx` were compared with PyTorch's and
differ by at most {difference} in [-1, 1]:

```python
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("generator.onnx")
latents = np.random.default_rng(0).standard_normal((4, {latent_size}), dtype=np.float32)
(images,) = session.run(["images"], {{"latents": latents}})  # (4, 3, {px}, {px}) in [-1, 1]
pixels = ((images + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
for number, picture in enumerate(pixels.transpose(0, 2, 3, 1)):
    Image.fromarray(picture).save(f"face-{{number}}.png")
```
"""

PYTORCH_USE = """
With PyTorch:

```python
from pathlib import Path

import torch

from facegan import snapshot

generator = snapshot.load(Path("generator.safetensors")).generator()
with torch.inference_mode():
    images = generator(torch.randn(4, {latent_size}))  # (4, 3, {px}, {px}) in [-1, 1]
```
"""

RESPONSIBLE_USE = """
## Limits and responsible use

- **Likeness.** It learned from {images} faces and can repeat them. It has not been shown that
  its samples differ from them: treat each as a picture of one of these people until you have.
- **Consent.** Nothing is recorded of whether the people in the pictures agreed to this use. A face
  is personal data, in many places biometric data; what may be done with it, and with a model made
  of it, depends on where you and they live.
- **Not for** passing somebody off as somebody else, pictures of a person who did not agree to them,
  identifying or judging people, or evidence of anything. Say that a picture is generated where you
  show it.
- **Bias.** It shows what the search returned, the detector found and the crop kept. Who is missing
  there is missing here; no measurement by group was made.
- **Quality.** Few faces and little training show: repeated faces, blur, broken eyes and background.
- **Taking somebody out.** A picture that is removed from the workspace has been seen by the models
  trained before: train again, and withdraw this one.
"""
