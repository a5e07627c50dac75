"""From images to answers with a trained network; nothing here needs Lightning, Hydra or wandb."""
