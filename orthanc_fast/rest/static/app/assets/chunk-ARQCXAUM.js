function o(e,t){let n=document.createElement("a");n.href=e,n.download=t,n.click()}export{o as a};
