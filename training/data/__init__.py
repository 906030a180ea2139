"""Labelled pictures: where they come from, what is wrong with them, which side of a split they are on, where they go.

folders, COCO, YOLO, Label Studio, the ledger -> Dataset -> check, split -> manifest -> training, or export
"""
