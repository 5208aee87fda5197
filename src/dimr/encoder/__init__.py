"""Picture encoders, shared by both stages.

`blazepose.py` is the person-pretrained network that ships; `hrnet.py` is the paper's HRNet-W32
(extra [paper]). An encoder has `channels` and `strides`, fine to coarse, and maps a batch of RGB
pictures in [0, 1] to its feature maps.
"""
