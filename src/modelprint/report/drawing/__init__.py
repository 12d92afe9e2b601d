"""Charts, pictures, pages, and how numbers and names are written: what both reports draw with.

Imports core and stats only, neither of the other two rooms, which both import it. A kind of chart is one module that
returns an SVG by `svg.to_svg`; a colour is a CSS variable in `style.css`.
"""
