"""What a picture is made of, whether it is a good one, and where the part lies in it: arrays in, figures out."""
