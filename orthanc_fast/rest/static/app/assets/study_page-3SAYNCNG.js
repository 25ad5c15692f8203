import{h as a,i as b}from"./chunk-PGLKOW3R.js";import"./chunk-NXDJU3M2.js";import"./chunk-MHCFWS36.js";export{b as Facts,a as default};
