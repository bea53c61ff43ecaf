/** Values show themselves in notebooks; a page is none. */
export {};
