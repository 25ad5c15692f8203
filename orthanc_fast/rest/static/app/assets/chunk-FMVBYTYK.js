import{C as r}from"./chunk-JZ62NJNH.js";function n({label:e,done:l,total:a}){return a===null?r("progress",{"aria-label":e}):r("progress",{"aria-label":e,value:l,max:a||1})}export{n as a};
