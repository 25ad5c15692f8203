import{C as r,D as o,O as l}from"./chunk-JZ62NJNH.js";function a({text:e}){return e?r("p",{class:"refused bad",role:"alert",children:[r(o,{name:"error"})," ",r(l,{text:e})]}):null}export{a};
