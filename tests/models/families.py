"""The backbone families that tests build, by their smallest members; benchmarks/export_families.py exports them all."""

from __future__ import annotations

QUICK = ["lcnet_035", "resnet10t", "vit_tiny_patch16_224", "convnext_atto", "mobilenetv2_035", "pvt_v2_b0"]
FAMILIES = [
    "swin_tiny_patch4_window7_224",
    "efficientnet_lite0",
    "mobilenetv4_conv_small_050",
    "regnetx_002",
    "deit_tiny_patch16_224",
    "coatnet_nano_rw_224",
    "mobilevit_xxs",
    "edgenext_xx_small",
    "xcit_nano_12_p16_224",
    "levit_128s",
    "tiny_vit_5m_224",
    "ghostnet_050",
    "hrnet_w18_small",
    "densenet121",
    "eva02_tiny_patch14_224",
    "efficientformer_l1",
    "fastvit_t8",
    "mambaout_femto",
    "repvgg_a0",
    "mobileone_s0",
    "dla46_c",
    "mixer_s32_224",
    "poolformer_s12",
    "twins_pcpvt_small",
]
