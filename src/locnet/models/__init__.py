"""The network: a timm backbone, a head that answers, and the localizer that joins them."""
