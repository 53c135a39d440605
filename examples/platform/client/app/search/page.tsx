import type { Metadata } from "next";
import { Search } from "@/components/search/search";

export const metadata: Metadata = { title: "Search by photo" };

export default Search;
