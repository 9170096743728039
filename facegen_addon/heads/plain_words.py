# SPDX-License-Identifier: GPL-3.0-or-later
"""What people call the parameters of Anny's kind of heads, and both ends of their sliders.

Names of parameters are MakeHuman's and ARKit's, and files know no others. Here is what a person
reads: "Nose Bridge, from dished to hooked" for `nose_curve_convex`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .parameters import Parameter

_ASYMMETRY = "_asymmetry"


@dataclass(frozen=True)
class Words:
    """A slider's label, and what a head is at its lowest and at its highest; empty: not said."""

    label: str
    low: str = ""
    high: str = ""

    @property
    def ends(self) -> str:
        """Both ends in one line, such as "narrow to wide"; empty where they are not said."""
        return f"{self.low} to {self.high}" if self.low else ""


_PEOPLE = {
    "gender": ("Woman", "man", "woman"),
    "age": ("Age", "young", "old"),
    "muscle": ("Muscles", "soft", "muscular"),
    "weight": ("Weight", "slim", "heavy"),
    "height": ("Body Height", "short", "tall"),
    "proportions": ("Body Proportions", "uncommon", "ideal"),
    "african": ("African", "none", "all"),
    "asian": ("Asian", "none", "all"),
    "caucasian": ("European", "none", "all"),
}
_SKULL = {
    "head_angle_out": ("Head Tilt of the Skull", "left", "right"),
    "head_scale_vert_incr": ("Head Height", "low", "high"),
    "head_scale_horiz_incr": ("Head Width", "narrow", "wide"),
    "head_scale_depth_incr": ("Head Depth", "short", "deep"),
    "head_back_scale_depth_incr": ("Back of the Head", "flat", "round"),
    "head_trans_forward": ("Head Forward", "back", "forward"),
    "head_trans_up": ("Head Up", "low", "high"),
    "head_trans_out": ("Head Sideways", "left", "right"),
    "head_fat_incr": ("Fullness of the Face", "gaunt", "full"),
    "head_age_incr": ("Aged Face", "young", "old"),
    "forehead_temple_incr": ("Temples", "hollow", "full"),
    "forehead_trans_forward": ("Forehead", "sloping", "bulging"),
    "forehead_scale_vert_incr": ("Forehead Height", "low", "high"),
    "forehead_nubian_incr": ("Forehead Roundness", "flat", "round"),
}
_CHEEKS_AND_JAW = {
    "cheek_trans_up": ("Cheeks", "sagging", "raised"),
    "cheek_volume_incr": ("Cheek Fullness", "hollow", "full"),
    "cheek_inner_incr": ("Inner Cheeks", "flat", "full"),
    "cheek_bones_incr": ("Cheekbones", "flat", "strong"),
    "chin_jaw_drop_incr": ("Jowls", "firm", "hanging"),
    "chin_height_incr": ("Chin Height", "short", "long"),
    "chin_prominent_incr": ("Chin", "receding", "prominent"),
    "chin_bones_incr": ("Jaw Corners", "soft", "angular"),
    "chin_width_incr": ("Chin Width", "pointed", "broad"),
    "chin_cleft_incr": ("Chin Cleft", "smooth", "cleft"),
    "chin_prognathism_incr": ("Lower Jaw", "back", "forward"),
}
_EARS = {
    "ear_lobe_incr": ("Earlobes", "small", "large"),
    "ear_shape_round": ("Ear Outline", "angular", "round"),
    "ear_shape_triangle": ("Ear Outline, Pointed", "square", "triangular"),
    "ear_trans_forward": ("Ear Place", "back", "forward"),
    "ear_trans_up": ("Ear Height on the Head", "low", "high"),
    "ear_rot_forward": ("Ear Turn", "back", "forward"),
    "ear_scale_vert_incr": ("Ear Length", "short", "long"),
    "ear_flap_incr": ("Ear Flaps", "flat", "folded out"),
    "ear_scale_incr": ("Ear Size", "small", "large"),
    "ear_scale_depth_incr": ("Ear Width", "narrow", "wide"),
    "ear_wing_incr": ("Ears Stick Out", "close", "protruding"),
}
_BROWS = {
    "eyebrows_angle_up": ("Brow Bone Slant", "falling", "rising"),
    "eyebrows_trans_up": ("Brow Bone Height", "low", "high"),
    "eyebrows_trans_forward": ("Brow Bone", "flat", "heavy"),
    "brow_height": ("Brow Height", "low", "high"),
    "brow_arch": ("Brow Arch", "straight", "arched"),
    "brow_peak": ("Brow Peak", "inner", "outer"),
    "brow_wave": ("Brow Wave", "plain", "S-shaped"),
    "brow_slant": ("Brow Slant", "drooping", "rising"),
    "brow_length": ("Brow Length", "short", "long"),
    "brow_gap": ("Gap between the Brows", "grown together", "wide"),
    "brow_thickness": ("Brow Thickness", "thin", "thick"),
    "brow_taper": ("Brow Taper", "blunt", "pointed"),
    "brow_density": ("Brow Density", "sparse", "dense"),
    "brow_bushiness": ("Brow Bushiness", "sleek", "bushy"),
    "brow_asymmetry": ("Brow Asymmetry", "left higher", "right higher"),
    "brow_melanin": ("Brow Colour", "fair", "black"),
    "brow_grey": ("Grey in the Brows", "none", "white"),
    "lash_density": ("Lash Density", "faint", "dense"),
    "lash_length": ("Lash Length", "short", "long"),
}
_EYES = {
    "eye_corner1_up": ("Inner Eye Corners", "low", "high"),
    "eye_corner2_up": ("Outer Eye Corners", "low", "high"),
    "eye_height1_incr": ("Eye Opening, Inner", "narrow", "open"),
    "eye_height2_incr": ("Eye Opening, Middle", "narrow", "open"),
    "eye_height3_incr": ("Eye Opening, Outer", "narrow", "open"),
    "eye_scale_incr": ("Eye Size", "small", "large"),
    "eye_push1_out": ("Inner Eye Depth", "sunken", "bulging"),
    "eye_push2_out": ("Outer Eye Depth", "sunken", "bulging"),
    "eye_eyefold_up": ("Eyelid Fold", "heavy", "raised"),
    "eye_eyefold_angle_up": ("Eyelid Fold Slant", "falling", "rising"),
    "eye_epicanthus_out": ("Inner Lid Fold", "open", "covered"),
    "eye_bag_incr": ("Eye Bags", "smooth", "swollen"),
    "eye_bag_height_incr": ("Eye Bag Height", "short", "long"),
    "eye_bag_out": ("Eye Bag Depth", "sunken", "bulging"),
    "eye_trans_up": ("Eye Height on the Face", "low", "high"),
    "eye_trans_out": ("Eye Distance", "close", "wide apart"),
    "iris_melanin": ("Iris Darkness", "pale", "nearly black"),
    "iris_green": ("Iris Green", "blue or brown", "green or hazel"),
}
_NOSE = {
    "nose_scale_horiz_incr": ("Nose Width", "narrow", "wide"),
    "nose_scale_vert_incr": ("Nose Length", "short", "long"),
    "nose_scale_depth_incr": ("Nose Projection", "flat", "projecting"),
    "nose_volume_incr": ("Nose Volume", "fine", "bulbous"),
    "nose_curve_convex": ("Nose Profile", "dished", "hooked"),
    "nose_hump_incr": ("Nose Hump", "straight", "humped"),
    "nose_greek_incr": ("Nose Root", "deep", "straight from the brow"),
    "nose_compression_uncompress": ("Nose Bridge Pinch", "pinched", "broad"),
    "nose_width1_incr": ("Nose Width at the Root", "narrow", "wide"),
    "nose_width2_incr": ("Nose Width of the Bridge", "narrow", "wide"),
    "nose_width3_incr": ("Nose Width at the Wings", "narrow", "wide"),
    "nose_point_up": ("Nose Tip", "drooping", "upturned"),
    "nose_point_width_incr": ("Nose Tip Width", "pointed", "broad"),
    "nose_base_up": ("Nose Base", "low", "high"),
    "nose_septumangle_incr": ("Septum", "hidden", "hanging"),
    "nose_nostrils_angle_up": ("Nostril Slant", "falling", "rising"),
    "nose_nostrils_width_incr": ("Nostril Width", "narrow", "wide"),
    "nose_flaring_incr": ("Nostril Flare", "flat", "flared"),
    "nose_trans_up": ("Nose Height on the Face", "low", "high"),
    "nose_trans_forward": ("Nose Place", "back", "forward"),
    "nose_trans_out": ("Nose Sideways", "left", "right"),
}
_MOUTH = {
    "mouth_scale_horiz_incr": ("Mouth Width", "narrow", "wide"),
    "mouth_scale_vert_incr": ("Lip Height", "thin", "full"),
    "mouth_scale_depth_incr": ("Mouth Projection", "flat", "projecting"),
    "mouth_trans_up": ("Mouth Height on the Face", "low", "high"),
    "mouth_trans_forward": ("Mouth Place", "back", "forward"),
    "mouth_trans_out": ("Mouth Sideways", "left", "right"),
    "mouth_angles_up": ("Mouth Corners", "turned down", "turned up"),
    "mouth_upperlip_volume_incr": ("Upper Lip Fullness", "thin", "full"),
    "mouth_upperlip_height_incr": ("Upper Lip Height", "low", "high"),
    "mouth_upperlip_width_incr": ("Upper Lip Width", "narrow", "wide"),
    "mouth_upperlip_middle_up": ("Upper Lip Middle", "low", "raised"),
    "mouth_upperlip_ext_up": ("Upper Lip Corners", "low", "raised"),
    "mouth_lowerlip_volume_incr": ("Lower Lip Fullness", "thin", "full"),
    "mouth_lowerlip_height_incr": ("Lower Lip Height", "low", "high"),
    "mouth_lowerlip_width_incr": ("Lower Lip Width", "narrow", "wide"),
    "mouth_lowerlip_middle_up": ("Lower Lip Middle", "low", "raised"),
    "mouth_lowerlip_ext_up": ("Lower Lip Corners", "low", "raised"),
    "mouth_cupidsbow_incr": ("Cupid's Bow", "flat", "pronounced"),
    "mouth_cupidsbow_width_incr": ("Cupid's Bow Width", "narrow", "wide"),
    "mouth_philtrum_volume_incr": ("Philtrum", "hollow", "full"),
    "mouth_laugh_lines_out": ("Laugh Lines", "smooth", "deep"),
    "mouth_dimples_out": ("Mouth Dimples", "dimpled", "smooth"),
    "lip_colour": ("Lip Redness", "pale", "red"),
    "lip_darkness": ("Lip Darkness", "light", "dark"),
}
_NECK = {
    "measure_neck_circ_incr": ("Neck Girth", "thin", "thick"),
    "measure_neck_height_incr": ("Neck Length", "short", "long"),
    "neck_scale_depth_incr": ("Neck Depth", "thin", "deep"),
    "neck_scale_horiz_incr": ("Neck Width", "narrow", "wide"),
    "neck_scale_vert_incr": ("Neck Stretch", "short", "long"),
    "neck_back_scale_depth_incr": ("Nape", "flat", "thick"),
    "neck_double_incr": ("Double Chin", "none", "full"),
    "neck_trans_forward": ("Neck Place", "back", "forward"),
    "neck_trans_up": ("Neck Height", "low", "high"),
    "neck_trans_out": ("Neck Sideways", "left", "right"),
}
_SKIN = {
    "skin_melanin": ("Skin Tone", "fairest", "darkest"),
    "skin_redness": ("Redness", "pale", "flushed"),
    "skin_carotene": ("Golden Tint", "none", "golden"),
    "skin_blotchiness": ("Unevenness", "even", "blotchy"),
    "cheek_blush": ("Blush", "none", "rosy"),
    "eye_shadow": ("Dark Rings", "none", "dark"),
    "skin_age": ("Aged Skin", "young", "old"),
    "skin_femininity": ("Woman's Skin", "man's", "woman's"),
    "skin_african": ("African Skin", "none", "all"),
    "skin_asian": ("Asian Skin", "none", "all"),
    "skin_variation_1": ("Complexion 1", "one way", "the other"),
    "skin_variation_2": ("Complexion 2", "one way", "the other"),
    "skin_variation_3": ("Complexion 3", "one way", "the other"),
    "skin_lines": ("Wrinkles", "smooth", "lined"),
    "skin_pores": ("Pores", "fine", "coarse"),
    "skin_gloss": ("Shine", "dry", "oily"),
    "skin_freckles": ("Freckles", "none", "many"),
    "skin_moles": ("Moles", "none", "many"),
    "skin_spots": ("Age Spots", "none", "many"),
    "skin_pattern": ("Which Freckles and Moles", "one set", "another"),
    "beard_shadow": ("Beard Shadow", "none", "dark"),
}
_HAIR = {
    "hair_density": ("Hair Density", "sparse", "dense"),
    "hair_length": ("Hair Length", "short", "long"),
    "hair_recession": ("Hairline", "low", "receding"),
    "hair_thinning": ("Crown", "full", "bald"),
    "hair_top_length": ("Length on Top", "shorn", "long"),
    "hair_side_length": ("Length at the Sides", "shorn", "long"),
    "hair_back_length": ("Length at the Back", "shorn", "long"),
    "hair_layers": ("Layers", "one length", "layered"),
    "hair_fringe": ("Fringe", "none", "full"),
    "hair_part": ("Parting", "none", "clear"),
    "hair_parting": ("Side of the Parting", "right", "left"),
    "hair_back": ("Combed", "forward", "back"),
    "hair_tuck": ("Behind the Ears", "loose", "tucked"),
    "hair_forward": ("Combed Forward", "back", "forward"),
    "hair_sideways": ("Combed Sideways", "left", "right"),
    "facial_hair": ("Facial Hair", "none", "full"),
    "hair_volume": ("Volume", "flat", "full"),
    "hair_wave": ("Waves", "straight", "wavy"),
    "hair_curl": ("Curls", "straight", "tight curls"),
    "hair_clumping": ("Locks", "loose strands", "thick locks"),
    "hair_untidiness": ("Untidiness", "combed", "tousled"),
    "hair_tied": ("Tied", "open", "tied"),
    "hair_tie_height": ("Knot Height", "nape", "crown"),
    "hair_bun": ("Bun", "tail", "bun"),
    "hair_braid": ("Braid", "tail", "braid"),
    "hair_melanin": ("Hair Colour", "fair", "black"),
    "hair_redness": ("Red in the Hair", "none", "red"),
    "hair_grey": ("Grey in the Hair", "none", "white"),
    "beard_density": ("Beard Density", "none", "dense"),
    "beard_length": ("Beard Length", "stubble", "long"),
    "beard_extent": ("Beard Reach", "chin", "cheeks and neck"),
    "beard_cheek": ("Beard on the Cheeks", "low", "high"),
    "beard_neck": ("Beard on the Neck", "none", "far down"),
    "beard_sideburns": ("Sideburns", "none", "full"),
    "beard_goatee": ("Goatee", "even", "chin alone"),
    "beard_grey": ("Grey in the Beard", "none", "white"),
    "beard_redness": ("Red in the Beard", "none", "red"),
    "moustache_density": ("Moustache", "none", "dense"),
    "moustache_length": ("Moustache Length", "short", "long"),
    "soul_patch": ("Soul Patch", "none", "full"),
}
_REST = {
    "resting_smile": ("Mouth at Rest", "sullen", "friendly"),
    "resting_lips": ("Lips at Rest", "closed", "parted"),
    "resting_brows": ("Brows at Rest", "low", "raised"),
    "resting_lids": ("Lids at Rest", "sleepy", "wide awake"),
}

WORDS: dict[str, Words] = {
    name: Words(*words)
    for part in (
        *(_PEOPLE, _SKULL, _CHEEKS_AND_JAW, _EARS, _BROWS, _EYES, _NOSE, _MOUTH, _NECK),
        *(_SKIN, _HAIR, _REST),
    )
    for name, words in part.items()
}
"""Name of a parameter -> its words."""


def words_of(parameter: Parameter) -> Words:
    """The words of a parameter; where there are none, its own label without ends."""
    name = parameter.name
    if name in WORDS:
        return WORDS[name]
    if name.endswith(_ASYMMETRY) and name.removesuffix(_ASYMMETRY) in WORDS:
        one = WORDS[name.removesuffix(_ASYMMETRY)]
        return Words(f"{one.label}, Asymmetry")
    if parameter.group == "expression" and parameter.unit != "standard deviations":
        return Words(parameter.label.title(), "at rest", "at most")
    return Words(parameter.label)


def is_asymmetry(parameter: Parameter) -> bool:
    """Whether it moves the two sides of a face apart."""
    return parameter.name.endswith(_ASYMMETRY) and parameter.name != f"brow{_ASYMMETRY}"
