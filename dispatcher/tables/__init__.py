"""Lists of people in, results out: hostile CSV and XLSX read row by row, CSV written so that no cell is a formula."""
