"""Invents plausible full names for synthetic writers."""

import numpy as np

_GIVEN = """
    Adela Adunni Aiko Alaric Amara Anselm Arjun Asel Astrid Bela Bram Branka Callum Camila Chidi
    Clara Corin Dalia Darko Delphine Dinesh Edda Eitan Elif Emeka Enzo Esme Farid Fenna Fiorella
    Gita Goran Greta Hana Hakan Idris Ilse Imani Ines Ivo Jasna Jorun Kaveh Keiko Kofi Lars Leila
    Linh Lucan Maeve Malik Marisol Mei Mirela Nadia Naveen Niamh Noor Oksana Olamide Orla Pavel
    Petra Quentin Ravi Rhea Rosalind Rufus Sanjay Selma Sigrid Soraya Stellan Suri Tadeo Talia
    Tomas Ulla Uzma Vesna Viktor Wanda Wilhelm Xenia Yara Yusuf Zahra Zeno
"""

_FAMILY = """
    Abelund Achterveld Adebanke Alvestri Amundrel Arroval Bakarov Balintyne Barrowick Bellandi
    Bhaskarin Brenholt Caldera Castelmar Chukwuma Corrigane Dalmasso Danforde Delacroy Demirsoy
    Drozdek Ekelund Elizarde Fahrenbach Farrokhan Fennimore Ferreiro Gadwalla Galloran Ghorbani
    Gustavall Hadrami Halloway Hartevelt Hoshikawa Ibarrondo Ilyanov Inverley Jankowitz Jayaveera
    Kallistrou Karimbe Kesterton Kobayori Lachlane Lindqvall Lobrano Mahlangu Marchetto Mbekani
    Mirzadeh Montclere Nakagiri Ndiakho Norrington Obradel Okonjira Ostrander Palmquist Parthiban
    Petrossi Quillane Qureshan Rasmuden Ravenhall Rostamar Sandoverde Sarkozian Silvanto Sutherby
    Takemori Tamboura Thackeron Tolvanen Ugarteche Umbridge Valdarno Venkatara Vossberg Wakefall
    Wentworthy Xanthopol Yamashiro Yildizan Zamorano Zielinka
"""


def invent_name(rng: np.random.Generator) -> str:
    """A given and a family name, for example "Mirela Ostrander"."""
    given, family = _GIVEN.split(), _FAMILY.split()
    return f"{given[rng.integers(len(given))]} {family[rng.integers(len(family))]}"
